"""Items of ranked lists picked within caps per value and within budgets."""

from numba import njit


@njit(cache=True, nogil=True)
def pick_within(codes, k, is_cap, slots, keeps_missing, groups, most, costs, left, counts, picked, refused_by) -> None:
    """Pick k items of each list, from the first on; one that a rule forbids beside those before it is skipped.

    Parameters
    ----------
    codes : int32 array of shape (n_lists, width)
        Best first; -1 is no item.
    k : int
    is_cap, keeps_missing : bool arrays of shape (n_rules,)
        Whether a rule is a cap, else a budget; and whether it keeps an item without a value.
    slots : int64 array of shape (n_rules,)
        Row of ``groups`` of a cap, column of ``left`` of a budget.
    groups : int32 array of shape (n_caps, n_items)
        Value of each item; -1 is none.
    most : int64 array of shape (n_caps,)
    costs : float64 array of shape (n_budgets, n_items)
        NaN is no value.
    left : float64 array of shape (n_lists, n_budgets)
        What each list may cost; then what is left of it.
    counts : int32 array of shape (n_caps, n_values)
        Scratch.
    picked : bool array of shape (n_lists, width)
        Filled where an item is picked; False before.
    refused_by : int64 array of shape (n_lists, width)
        Filled with the rule that skipped an item; -1 before.
    """
    for row in range(codes.shape[0]):
        counts[:] = 0
        length = 0
        for place in range(codes.shape[1]):
            item = codes[row, place]
            if length >= k:
                break
            if item < 0:
                continue
            refused = -1
            for rule in range(len(slots)):
                slot = slots[rule]
                if is_cap[rule]:
                    value = groups[slot, item]
                    is_allowed = keeps_missing[rule] if value < 0 else counts[slot, value] < most[slot]
                else:
                    cost = costs[slot, item]
                    is_allowed = keeps_missing[rule] if cost != cost else cost <= left[row, slot]
                if not is_allowed:
                    refused = rule
                    break
            if refused >= 0:
                refused_by[row, place] = refused
                continue
            for rule in range(len(slots)):
                slot = slots[rule]
                if is_cap[rule]:
                    if groups[slot, item] >= 0:
                        counts[slot, groups[slot, item]] += 1
                elif costs[slot, item] == costs[slot, item]:
                    left[row, slot] -= costs[slot, item]
            picked[row, place] = True
            length += 1
