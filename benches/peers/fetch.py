#!/usr/bin/env python3
"""The floor under the script that is replaced: nothing but the import and the request. fetch.py URL CA-FILE

It verifies nothing, installs nothing, reloads nothing.
"""

import sys

import requests

answer = requests.get(sys.argv[1], verify=sys.argv[2], timeout=30)
answer.raise_for_status()
answer.json()
