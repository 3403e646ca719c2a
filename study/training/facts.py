"""Reported values of a trial besides its scores: parameter counts and ranks."""

from adapters import RankAllocator, count_parameters
from study.training.methods import PreparedModel


def parameter_facts(prepared: PreparedModel, allocator: RankAllocator | None) -> dict[str, float]:
    """Returns the numbers of trained parameters: adapters, kept, head, all.

    Kept are those of the adapters' kept triplets, and under full fine-tuning, which prunes
    nothing, all of the backbone; the head is not among them.
    """
    adapter = sum(p.numel() for p in prepared.adapter_parameters)
    head = sum(p.numel() for p in prepared.head.values())
    backbone = sum(p.numel() for p in prepared.backbone.values())
    return {
        "adapter_parameters": adapter,
        "kept_parameters": _kept_parameters(prepared, allocator) + backbone,
        "head_parameters": head,
        "trainable_parameters": adapter + head + backbone,
    }


def _kept_parameters(prepared: PreparedModel, allocator: RankAllocator | None) -> int:
    """Returns the adapter parameters of the kept triplets; all before the first mask event.

    In mode `zero` pruned singular values may regrow until the next event: until T the ranks after
    the last event count. From T on the mask is permanent.
    """
    if prepared.peft is not None:
        return prepared.peft.kept_parameters()
    ranks = None
    if allocator is not None and allocator.t >= allocator.budget.T:
        ranks = allocator.ranks()
    elif allocator is not None and (trace := allocator.trace()):
        ranks = trace[-1]["ranks"]
    return count_parameters(prepared.model, prepared.adapters, ranks=ranks).adapter


def rank_facts(allocator: RankAllocator | None) -> dict[str, float]:
    """Returns budget, kept, dropped and reintroduced triplets of the last mask event, and rank.

    Before the first event budget and kept are all triplets. From then on `penalty_share` is
    included, see `RankAllocator.trace`. Empty without a rank allocator.
    """
    if allocator is None:
        return {}
    triplets = allocator.budget.triplets
    facts: dict[str, float] = {
        "budget": triplets,
        "kept": triplets,
        "reintroduced": 0,
        "dropped": 0,
    }
    trace = allocator.trace()
    if trace:
        facts = {name: trace[-1][name] for name in facts}
        if trace[-1]["penalty_share"] is not None:
            facts["penalty_share"] = trace[-1]["penalty_share"]
    return {
        **facts,
        "rank": allocator.rank(),
        "missing_gradients": allocator.missing_gradients,
    }
