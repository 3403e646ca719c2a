import math

import pytest

from study.models.pretraining.markov import markov_bits_per_base
from study.models.pretraining.text import reverse_complement


def test_random_sequences_need_two_bits_per_base(random_dna):
    train, held_out = random_dna(400, 500), random_dna(20, 500, seed=1)
    assert markov_bits_per_base(train, held_out) == pytest.approx(2.0, abs=0.02)


def test_the_markov_model_equals_a_slow_count(random_dna):
    train, held_out = random_dna(3, 40), random_dna(2, 12, seed=2)
    both = [s for line in train for s in (line, reverse_complement(line))]
    bits = 0.0
    for sequence in held_out:
        for i, base in enumerate(sequence):
            context = sequence[max(0, i - 5) : i]
            counts = {
                b: 1 + sum(s[j:].startswith(context + b) for s in both for j in range(len(s)))
                for b in "ACGT"
            }
            bits -= math.log2(counts[base] / sum(counts.values()))
    assert markov_bits_per_base(train, held_out) == pytest.approx(bits / 24)
