"""What the tests ask of a job's rows."""

import images

# Features of the same image in fp32 differ by no more than this, if the batches that they were in differ; the values are of the order of 1.
FP32 = 1e-4


def collect(df, *columns):
    """Returns the rows of a job in order of id, as dicts, of these columns (else of all)."""
    rows = df.select(*columns).collect() if columns else df.collect()
    return sorted((r.asDict() for r in rows), key=lambda r: r["id"])


def whole(rows, count):
    """Checks that the rows 0 to count-1 are there, each once."""
    assert [r["id"] for r in rows] == list(range(count))


def same(rows, expected, skip=(), tolerance=0.0):
    """Checks that row i has the features expected[i % len] and no error, but for the ids in skip. A tolerance of 0 asks for the same bits.

    With the same bits in the features, the crops that they were computed from were the same too, byte for byte: a single
    changed byte changes hundreds of features (test_data.py holds that).
    """
    for row in rows:
        if row["id"] in skip:
            continue
        assert row["features_error"] is None, row
        want = expected[row["id"] % len(expected)]
        assert images.difference(row["features"], want) <= tolerance, row["id"]


def errors(rows):
    """Returns {id: error} of the rows that have one; their features must be null."""
    found = {r["id"]: r["features_error"] for r in rows if r["features_error"] is not None}
    assert all((r["features"] is None) == (r["id"] in found) for r in rows)
    return found
