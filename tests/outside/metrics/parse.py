"""Reads a page of metrics from standard input as strictly as prometheus_client can.

The argument names the format, `text` or `openmetrics`. Prints how many families there are.
"""

import sys

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as text

FORMATS = {"openmetrics": openmetrics, "text": text}
print(len(list(FORMATS[sys.argv[1]](sys.stdin.read()))))
