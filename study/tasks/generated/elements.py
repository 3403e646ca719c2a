"""The core-promoter elements of `promoters`: consensus, position, frequency, mutation.

Positions follow the literature: the transcription start site (TSS) is +1, the base before it
is -1, and there is no 0. Letters are IUPAC ambiguity codes.
"""

from __future__ import annotations

from dataclasses import dataclass

IUPAC = {
    "A": "A", "C": "C", "G": "G", "T": "T",
    "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip


@dataclass(frozen=True)
class Element:
    """One published motif of RNA polymerase II promoters.

    `start` is the usual position of the first base, `jitter` how many bases it may shift to
    either side (uniformly), `focused` and `island` the share of promoters of each class that
    carry it, `mutation` the probability that a base differs from the consensus. Elements with
    `follows_tata` shift with the TATA box, next to which they are.
    """

    name: str
    consensus: str
    start: int
    jitter: int
    focused: float
    island: float
    mutation: float
    either_strand: bool = False
    follows_tata: bool = False


# Genome-wide, 24 % of human promoters have a TATA-like element and 46 % an initiator (Yang et
# al. 2007, Gene 389:52); focused promoters, which initiate at one base, have far more of both
# than CpG-island promoters do (Carninci et al. 2006, Nat. Genet. 38:626). The shares below keep
# that contrast, but are higher, as in sets that were selected for their elements: with the
# genome's shares most positives would have no element and could not be classified.
TATA = Element(
    "TATA", "TATAWAWR", -31, 2, focused=0.90, island=0.25, mutation=0.06, follows_tata=True
)
ELEMENTS = (
    # Distal elements, either strand: Bucher 1990, J. Mol. Biol. 212:563.
    Element("GC box", "KRGGCGKRRY", -75, 35, 0.40, 0.90, 0.06, either_strand=True),
    Element("CCAAT box", "YYRRCCAATS", -85, 20, 0.40, 0.55, 0.06, either_strand=True),
    # Burley & Roeder 1996, Annu. Rev. Biochem. 65:769; spacing Ponjavic et al. 2006,
    # Genome Biol. 7:R78.
    TATA,
    # Lagrange et al. 1998, Genes Dev. 12:34: directly upstream of the TATA box.
    Element("BREu", "SSRCGCC", -38, 2, 0.30, 0.50, 0.06, follows_tata=True),
    # Deng & Roberts 2005, Genes Dev. 19:2418: directly downstream of it.
    Element("BREd", "RTDKKKK", -23, 2, 0.50, 0.25, 0.06, follows_tata=True),
    # Vo Ngoc et al. 2017, Genes Dev. 31:6: the human initiator, A at +1.
    Element("Inr", "BBCABW", -3, 0, 0.90, 0.70, 0.06),
    # Burke & Kadonaga 1996, Genes Dev. 10:711; Kutach & Kadonaga 2000, Mol. Cell. Biol.
    # 20:4754: its spacing to the initiator is strict.
    Element("DPE", "RGWYVT", 28, 0, 0.50, 0.50, 0.06),
)
