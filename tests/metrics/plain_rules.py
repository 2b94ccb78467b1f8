"""How held-out events become queries, in plain Python, and logs to try it on."""

import numpy as np
from hypothesis import strategies as st


def slow_queries(train, test, y, explicit, exclude_seen, n_history, per):
    """The rules, user by user, in plain Python: [(user, history rows, {item: y})], and the events dropped."""
    queries, n_dropped = [], 0
    for user in sorted(set(test[:, 0])):
        seen = {item for u, item in train if u == user}
        rows = [row for row in range(len(test)) if test[row, 0] == user]
        n = 0 if n_history is None or seen else n_history
        history, rows = rows[:n], rows[n:]
        had = seen | {test[row, 1] for row in history} if exclude_seen else set()
        n_dropped += sum(y[row] > 0 and test[row, 1] in had for row in rows)
        for group in [rows] if per == "user" else [[row] for row in rows]:
            found: dict = {}
            for row in group:
                item = test[row, 1]
                found[item] = y[row] if explicit else found.get(item, 0) + y[row]
            found = {i: v for i, v in found.items() if v > 0 and i not in had}
            if found:
                queries.append((user, history, found))
    return queries, n_dropped


@st.composite
def logs(draw):
    pairs = st.tuples(st.integers(0, 5), st.integers(0, 7))
    train = np.array(draw(st.lists(pairs, min_size=1, max_size=15)))
    test = np.array(draw(st.lists(pairs, min_size=1, max_size=15)))
    y = np.array(draw(st.lists(st.sampled_from([0.0, 1.0, 2.0, 4.0]), min_size=len(test), max_size=len(test))))
    return train, test, y
