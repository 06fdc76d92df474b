"""The live page in headless Chromium: page.py HOST:PORT ADMIN MODEL. Numbers move under load; the rollback button rolls back."""
import json
import shutil
import sys
import threading
import urllib.request
from playwright.sync_api import sync_playwright

address, admin, model = sys.argv[1:4]


def get(base, where, body=None):
    r = urllib.request.Request(f"http://{base}{where}", data=None if body is None else json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(r, timeout=30))


meta = get(address, f"/v2/models/{model}")
row = {"inputs": [{"name": c["name"], "shape": [1], "datatype": c["datatype"], "data": ["dsl"] if c["datatype"] == "BYTES" else [3]} for c in meta["inputs"]]}
versions = [v["version"] for v in get(admin, "/admin/versions")["versions"]]
for v in versions[-2:]:
    get(admin, "/admin/promote", {"version": v, "stage": "production"})
stop = threading.Event()


def load():
    while not stop.is_set():
        get(address, f"/v2/models/{model}/infer", row)


threading.Thread(target=load, daemon=True).start()
with sync_playwright() as p:
    browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    page = browser.new_page()
    wrong = []
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on("request", lambda r: None if r.url.startswith(("http://" + admin, "http://" + address)) else wrong.append("outside: " + r.url))
    page.goto(f"http://{admin}/")
    page.wait_for_selector("html[data-ready=yes]")
    first = page.inner_text("#t-requests b")
    page.wait_for_function("before => document.querySelector('#t-requests b').textContent !== before", arg=first, timeout=20000)
    page.wait_for_function("() => parseFloat(document.querySelector('#t-requestsasecond b').textContent) > 0", timeout=20000)
    assert page.inner_text("#t-version b") == str(versions[-1]), page.inner_text("#t-version b")
    page.click("#rollback")
    page.wait_for_function("v => document.querySelector('#t-version b').textContent === v", arg=str(versions[-2]), timeout=20000)
    page.click(f"#try-{versions[-1]}")  # a trial by its buttons
    page.wait_for_function("() => document.querySelector('#trial').textContent.includes('shadow')", timeout=20000)
    page.click("#trial-forward")
    page.wait_for_function("() => document.querySelector('#trial').textContent.includes('canary')", timeout=20000)
    page.click("#trial-abort")
    page.wait_for_function("() => document.querySelector('#trial').textContent.includes('aborted')", timeout=20000)
    page.goto(f"http://{address}/")  # from here nothing can be changed
    page.wait_for_selector("html[data-ready=yes]")
    assert page.query_selector("#rollback") is None
    browser.close()
stop.set()
if wrong:
    sys.exit(f"FAIL page: {wrong[:3]}")
if get(address, f"/v2/models/{model}")["versions"] != [str(versions[-2])]:
    sys.exit("FAIL page: the button did not roll back")
print("page: numbers move, the buttons roll back and try, nothing is asked for elsewhere")
