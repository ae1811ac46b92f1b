"""What moving the rows costs without any work on them.

    --step read     Spark reads the files, and nothing else
    --step python   and hands the bytes to Python, which returns their lengths
    --step floats   which returns as many floats a row as a model's features
"""
import pyarrow as pa
import pyarrow.compute as pc

import spark_rounds


def lengths(batches):
    """For mapInArrow: the length of the bytes of each row."""
    for batch in batches:
        yield pa.RecordBatch.from_arrays([pc.binary_length(batch.column(0)).cast(pa.int64())], names=["length"])


STEPS = {
    "read": spark_rounds.drain,
    "python": lambda frame: spark_rounds.drain(frame.select("content").mapInArrow(lengths, "length long")),
    "floats": spark_rounds.floats_back,
}


def main():
    args = spark_rounds.arguments(step="read")
    spark, _ = spark_rounds.session(args)
    spark_rounds.serve(args, spark, STEPS[args.step])


if __name__ == "__main__":
    main()
