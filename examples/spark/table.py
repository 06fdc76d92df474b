#!/usr/bin/env python3
"""Predictions of a data set as one table, worked out by Spark in two ways; both give the bytes of a single build.

    python3 table.py worker MODEL ROWS.csv KEY OUT.ltab    rows -> key<TAB>value: `leat table worker` in every partition
    python3 table.py shards MODEL ROWS.csv KEY OUT.ltab    keys -> shards: `leat table build --shard I/N` in every task, then merge

ROWS.csv has a header. LEAT names the program (default: leat), LEAT_SPARK_MASTER the cluster (default: local-cluster[2,1,1024]: two
worker processes of their own on this machine), LEAT_TABLE_CREATED the creation time in nanoseconds, which is part of a table's
bytes (default: 1). The program, the model and, for shards, ROWS.csv must be there under the same path on every machine.
"""
import os
import subprocess
import sys

LEAT = os.environ.get("LEAT", "leat")
CREATED = os.environ.get("LEAT_TABLE_CREATED", "1")
PARTS = int(os.environ.get("LEAT_SPARK_PARTS", "4"))


def worker(spark, model, rows, key, out):
    """Hadoop Streaming's contract through RDD.pipe: each partition's rows on stdin, key<TAB>value on stdout."""
    with open(rows, encoding="utf-8", newline="") as f:
        header = f.readline().rstrip("\r\n")
    command = [LEAT, "table", "worker", model, "--key", key, "--columns", header]
    lines = spark.sparkContext.textFile(rows, PARTS).filter(lambda line: line != header)

    def score(part):
        text = "".join(line + "\n" for line in part)
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.splitlines()

    scored = out + ".scored"
    with open(scored, "w", encoding="utf-8") as f:
        for line in lines.mapPartitions(score).toLocalIterator():  # one partition at a time
            f.write(line + "\n")
    subprocess.run([LEAT, "table", "load", scored, "--model", model, "-o", out, "--set", "created_ns=" + CREATED, "-q"],
                   check=True, stdout=subprocess.DEVNULL)
    os.remove(scored)


def shards(spark, model, rows, key, out):
    """Each task builds the table of its part of the keys; they are merged here."""
    parts = [f"{out}.part-{i}" for i in range(PARTS)]

    def build(i):
        done = subprocess.run([LEAT, "table", "build", model, rows, "--key", key, "--shard", f"{i}/{PARTS}", "-o", parts[i],
                               "--set", "created_ns=" + CREATED, "--threads", "1", "-q"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return os.getpid()

    done = spark.sparkContext.parallelize(range(PARTS), PARTS).map(build).collect()
    subprocess.run([LEAT, "table", "merge", *parts, "-o", out, "-q"], check=True, stdout=subprocess.DEVNULL)
    for part in parts:
        os.remove(part)
    return done


def main():
    if len(sys.argv) != 6 or sys.argv[1] not in ("worker", "shards"):
        sys.exit(__doc__)
    from pyspark.sql import SparkSession  # pylint: disable=import-outside-toplevel
    master = os.environ.get("LEAT_SPARK_MASTER", "local-cluster[2,1,1024]")
    spark = SparkSession.builder.master(master).appName("leat table").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    paths = [os.path.abspath(p) for p in (sys.argv[2], sys.argv[3], sys.argv[5])]
    (worker if sys.argv[1] == "worker" else shards)(spark, paths[0], paths[1], sys.argv[4], paths[2])
    executors = spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1  # pylint: disable=protected-access
    print(f"{sys.argv[1]}: {paths[2]} by Spark {spark.version}, {master}, {executors} executors")
    spark.stop()


if __name__ == "__main__":
    main()
