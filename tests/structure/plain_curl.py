"""The few words of curl that the papers use, for machines without it."""

import argparse
import base64
import sys
import urllib.error
import urllib.request
from pathlib import Path


def main() -> None:
    """Send one request and write the body of the answer."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("url")
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-S", action="store_true")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-u")
    parser.add_argument("-X")
    parser.add_argument("-d")
    parser.add_argument("--data-binary")
    given = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in given.H)
    if given.u is not None:
        headers["Authorization"] = f"Basic {base64.b64encode(given.u.encode()).decode()}"
    body = None if given.d is None else given.d.encode()
    if given.data_binary is not None:
        body = Path(given.data_binary.removeprefix("@")).read_bytes()
    request = urllib.request.Request(  # noqa: S310 - a test's own address
        given.url, data=body, headers=headers, method=given.X
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - likewise
            sys.stdout.buffer.write(answer.read())
    except urllib.error.HTTPError as refused:
        sys.stdout.buffer.write(refused.read())


if __name__ == "__main__":
    main()
