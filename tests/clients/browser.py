#!/usr/bin/env python3
"""The browser step without a browser: follows redirects with plain HTTP, up to and including the client's callback.

`browser.py URL` is what a client runs in place of a browser. `callback_of(url)` stops short of the callback, for clients
that are handed it.
"""

import http.client
import os
import sys
import time
from urllib.parse import parse_qs, urljoin, urlsplit


def get(url):
    """Status, headers and body; nothing is followed."""
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname, parts.port, timeout=20)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Accept": "text/html"})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


class NoCallback(Exception):
    """The way ended at a page."""


def callback_of(url, redirect_uri=None):
    """The URL at which the sign-in ends."""
    redirect_uri = redirect_uri or parse_qs(urlsplit(url).query)["redirect_uri"][0]
    for _ in range(10):
        status, headers, body = get(url)
        if "location" not in headers:
            raise NoCallback(f"{status} at {url.split('?')[0]}: {body.decode(errors='replace')}")
        url = urljoin(url, headers["location"])
        if url.startswith(redirect_uri):
            return url
    raise NoCallback("ten redirects and no end")


def open_url(url):
    """As a browser does it: the callback is fetched too, once the client listens there."""
    callback = callback_of(url)
    for _ in range(100):
        try:
            return get(callback)[0]
        except ConnectionError:
            time.sleep(0.1)
    raise NoCallback(f"nobody listens at {callback.split('?')[0]}")


if __name__ == "__main__":
    # the client waits for this to end, and only then listens
    if os.fork() == 0:
        open_url(sys.argv[1])
