"""A few new events in an item-item matrix of which the best entries of each row are kept."""

import numpy as np
from numba import njit

from skrec._kernels.sparse_rows import add, clear, largest_first, new_row, written_columns


@njit(cache=True, nogil=True)
def _add_pairs_to(item, pairs, row):
    """Add the weights of all pairs whose target is ``item``, those of one source in the order of its row's sum."""
    items, target = pairs.items, pairs.target
    window = len(pairs.forward) - 1
    at, end = pairs.item_ptr[item], pairs.item_ptr[item + 1]
    while at < end:
        user = pairs.row_of[at]
        after = at + 1
        while after < end and pairs.row_of[after] == user:
            after += 1
        start, stop = pairs.indptr[user], pairs.indptr[user + 1]
        if pairs.constant == 0:
            start = max(start, pairs.event_of[at] - window)
            stop = min(stop, pairs.event_of[after - 1] + window + 1)
        for event in range(start, stop):
            column, weight = items[event], pairs.source[event]
            if pairs.constant > 0:
                base = target.dtype.type(weight * pairs.constant)
                for place in range(at, after):
                    add(row, column, base * target[pairs.event_of[place]])
            for place in range(at, after):
                other = pairs.event_of[place]
                if event < other <= event + window:
                    add(row, column, weight * target[other] * pairs.forward[other - event])
            for place in range(at, after):
                other = pairs.event_of[place]
                if event - window <= other < event:
                    lag = pairs.forward if pairs.group[other] == pairs.group[event] else pairs.backward
                    add(row, column, weight * target[other] * lag[event - other])
        at = after


@njit(cache=True, nogil=True)
def pair_columns(start, stop, targets, pairs, bounds, sources, weights, sizes) -> None:
    """Columns ``targets[start:stop]`` of the pair matrix, without the diagonal.

    Parameters
    ----------
    start, stop : int
    targets : int64 array of shape (n_targets,)
        Item codes.
    pairs : PairTable
    bounds : int64 array of shape (n_targets + 1,)
        Where the entries of each column begin in ``sources`` and ``weights``, with room for all.
    sources, weights : int32 array and float array of shape (bounds[-1],)
        Filled: row of each entry, and its value.
    sizes : int64 array of shape (n_targets,)
        Filled: entries of each column.
    """
    zeros = np.zeros(len(pairs.item_ptr) - 1, weights.dtype)
    row = new_row(zeros)
    for at in range(start, stop):
        item, end = targets[at], bounds[at]
        _add_pairs_to(item, pairs, row)
        for source in written_columns(row):
            if source != item:
                sources[end], weights[end] = source, row.values[source]
                end += 1
        sizes[at] = end - bounds[at]
        clear(row, zeros)


@njit(cache=True, nogil=True)
def merge_columns(
    start, stop, graph, changes, is_changed, row_scale, column_scale, values, columns, sizes, is_open
) -> None:  # fmt: skip
    """Put changed columns into rows of best entries.

    Parameters
    ----------
    start, stop : int
        Rows.
    graph : Csr
        The best entries of each row before, at most ``values.shape[1]``.
    changes : Csr
        The pair weights of the changed columns, not scaled, sorted by column.
    is_changed : bool array of shape (n_items,)
        The changed columns. Their rows are left to the caller.
    row_scale, column_scale : arrays of shape (n_items,)
        Of the model after the update.
    values, columns, sizes : arrays of shape (n_items, n_neighbors), twice, and (n_items,)
        Filled as by ``best_pair_rows``.
    is_open : bool array of shape (n_items,)
        Set where entries that were dropped before may be among the best now, and for the rows of changed items.
    """
    width = values.shape[1]
    room = width + np.count_nonzero(is_changed)
    best, where, order = np.empty(room, values.dtype), np.empty(room, np.int32), np.empty(room, values.dtype)
    for item in range(start, stop):
        sizes[item] = 0
        is_open[item] = is_changed[item]
        if is_open[item]:
            continue
        first, last = graph.indptr[item], graph.indptr[item + 1]
        is_full = last - first == width
        # What was dropped ranks behind the last of the kept ones: of equal values the first columns were kept.
        least, least_column = best.dtype.type(np.inf), np.int32(-1)
        if is_full:
            for at in range(first, last):
                if graph.data[at] <= least:
                    least, least_column = graph.data[at], graph.indices[at]
        n, change, end = 0, changes.indptr[item], changes.indptr[item + 1]
        for at in range(first, last + 1):
            column = graph.indices[at] if at < last else np.int32(len(column_scale))
            while change < end and changes.indices[change] <= column:
                target = changes.indices[change]
                value = changes.data[change] * (row_scale[item] * column_scale[target])
                ranks = not is_full or value > least or (value == least and target <= least_column)
                if value > 0 and ranks:
                    best[n], where[n] = value, target
                    n += 1
                change += 1
            if at < last and not is_changed[column]:
                best[n], where[n] = graph.data[at], column
                n += 1
        if is_full and n < width:
            is_open[item] = True
            continue
        cut, n_equal = best.dtype.type(0), 0
        if n > width:
            order[:n] = best[:n]
            cut = largest_first(order, n, width)
            for at in range(width):
                n_equal += order[at] == cut
        size = 0
        for at in range(n):
            if best[at] == cut:
                if n_equal == 0:
                    continue
                n_equal -= 1
            if best[at] >= cut:
                values[item, size], columns[item, size] = best[at], where[at]
                size += 1
        sizes[item] = size
