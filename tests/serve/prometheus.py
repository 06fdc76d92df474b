"""A real Prometheus scrapes a real server: prometheus.py HOST:PORT MODEL. It is started with a folder of its own, asked for what it has
scraped, and for a quantile of the histograms."""
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

address, model = sys.argv[1:3]
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
meta = json.load(urllib.request.urlopen(f"http://{address}/v2/models/{model}"))
row = json.dumps({"inputs": [{"name": c["name"], "shape": [1], "datatype": c["datatype"],
                              "data": ["dsl"] if c["datatype"] == "BYTES" else [3]} for c in meta["inputs"]]}).encode()


def ask(query):
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    try:
        o = json.load(urllib.request.urlopen(url, timeout=10))
        return o["data"]["result"]
    except OSError:
        return []


folder = tempfile.mkdtemp()
with open(folder + "/prometheus.yml", "w") as f:
    f.write(f"global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: leat\n    static_configs:\n      - targets: ['{address}']\n")
p = subprocess.Popen(["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                      f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=open(folder + "/err", "w"))
try:
    last, rate, up = time.monotonic() + 60, [], []
    while time.monotonic() < last and not (rate and up):
        for _ in range(50):
            urllib.request.urlopen(f"http://{address}/v2/models/{model}/infer", row).read()
        time.sleep(.5)
        up = [r for r in ask('up{job="leat"}') if r["value"][1] == "1"]
        rate = [r for r in ask('sum(rate(leat_inference_requests_total{code="200"}[1m]))') if float(r["value"][1]) > 0]
    if not up or not rate:
        sys.exit(f"FAIL prometheus: up {up}, rate {rate}: {open(folder + '/err').read()[-500:]}")
    q = 'histogram_quantile(0.99, sum by (le) (rate(leat_inference_duration_seconds_bucket{phase="total"}[1m])))'
    quantile = ask(q)
    names = ask('count({__name__=~"leat_.*"})')
    if not quantile or not 0 < float(quantile[0]["value"][1]) < 10 or not names or float(names[0]["value"][1]) < 100:
        sys.exit(f"FAIL prometheus: quantile {quantile}, series {names}")
    print(f"prometheus: {names[0]['value'][1]} series, {float(rate[0]['value'][1]):.1f} requests a second, p99 {float(quantile[0]['value'][1]) * 1e3:.3g} ms")
finally:
    p.terminate()
    p.wait()
    shutil.rmtree(folder, ignore_errors=True)
