"""Sells a unit with `requests`, at the server whose URL is the first argument.

Says `sold` once the order is confirmed; anything else is a failure. What it sends beyond the plain
steps is what the library sends by itself.
"""

import sys

import requests

url = sys.argv[1]
session = requests.Session()


def ask(status, method, path, **more):
    answer = session.request(method, url + path, timeout=30, **more)
    assert answer.status_code == status, (method, path, answer.status_code, answer.text)
    assert answer.headers.get("Connection") is None, answer.headers
    return answer


sku = "/v1/skus/python"
put = ask(201, "PUT", sku, json={"stock": 10})
tags = f'"1", {put.headers["ETag"]}'
ask(200, "PATCH", sku, json={"hold_ms": 60000}, headers={"If-Match": tags})
order = {"user": "python", "lines": [{"sku": "python", "qty": 1}]}
order = ask(201, "POST", "/v1/orders", json=order, headers={"Idempotency-Key": "python"}).json()
path = f"/v1/orders/{order['id']}"
ask(200, "POST", path + "/confirm")
ask(200, "POST", path + "/ship", data="null", headers={"Content-Type": "application/json"})
ask(200, "POST", path + "/complete", json={})
assert ask(200, "GET", path).json()["status"] == "completed"
assert ask(200, "GET", sku).json()["sold"] == 1
ask(404, "DELETE", "/v1/skus/none", headers={"If-Match": "*"})
print("sold")
