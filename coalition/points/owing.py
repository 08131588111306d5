"""Which contracts let a member owe what was spent of a reversed issue, and how that is paid."""

from collections.abc import Mapping
from functools import lru_cache

from coalition.federation.catalogue import Catalogue
from coalition.federation.terms import ReversalPolicy


@lru_cache(maxsize=4)
def recovery_by_contract(catalogue: Catalogue) -> Mapping[int, int]:
    """Return, for each contract that books debts, how much of each later issue pays them.

    In percent; 0 where they wait for staff. Contracts that refuse are left out.
    """
    return {
        contract.no: contract.recover_percent
        if contract.reversal_policy is ReversalPolicy.RECOVER
        else 0
        for contract in catalogue.contracts
        if contract.reversal_policy is not ReversalPolicy.REFUSE
    }
