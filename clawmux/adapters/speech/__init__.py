"""Speech as a service: engines, the endpoints that serve them, and the client that calls them."""

import os

# onnxruntime from 1.31 on makes a device id at import and reports its use to its makers. Nothing leaves this machine unasked.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
