from study.models.pretraining.bpe import BOS_ID, PAD_ID


def test_the_tokenizer_has_the_special_ids_of_opt(tokenizer):
    assert tokenizer.token_to_id("</s>") == BOS_ID == 2
    assert tokenizer.token_to_id("<pad>") == PAD_ID == 1
    assert tokenizer.get_vocab_size() == 32
    ids = tokenizer.encode("ACGTN").ids
    assert ids[0] == BOS_ID
    assert ids == tokenizer.encode("acgtn").ids
    assert tokenizer.encode("ACXGT").ids.count(tokenizer.token_to_id("<unk>")) == 1


def test_the_tokens_of_a_sequence_concatenate_to_it(tokenizer, lines):
    for line in lines[:5]:
        ids = tokenizer.encode(line).ids[1:]
        assert "".join(tokenizer.id_to_token(i) for i in ids) == line
