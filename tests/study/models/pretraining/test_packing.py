from study.models.pretraining.bpe import BOS_ID
from study.models.pretraining.packing import packed_rows
from study.models.pretraining.text import reverse_complement


def test_rows_contain_every_sequence_once_on_either_strand(tokenizer, lines):
    rows = packed_rows(lines, tokenizer, 24, seed=0, number=0)
    assert rows.shape[1] == 24
    assert (rows[:, 0] == BOS_ID).all()
    known = "".join(f"|{line}|{reverse_complement(line)}" for line in lines)
    flat = [tokenizer.id_to_token(i) for i in rows[:, 1:].ravel()]
    bases = sum(len(token) for token in flat if token != "</s>")
    assert 60 * 143 - 24 * 8 <= bases <= 60 * 150
    for row in rows[:10]:
        for stretch in "".join(tokenizer.id_to_token(i) for i in row).split("</s>"):
            assert stretch in known


def test_a_pass_is_a_function_of_seed_and_number(tokenizer, lines):
    def rows(seed, number):
        return packed_rows(lines, tokenizer, 24, seed=seed, number=number).tolist()

    assert rows(0, 1) == rows(0, 1)
    assert rows(0, 1) != rows(0, 2)
    assert rows(0, 1) != rows(1, 1)
