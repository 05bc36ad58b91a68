"""The measured project in one process: interface and a worker thread on the in-memory layer, as in ``runserver``."""

import os
import threading

os.environ["BENCH_LAYER"] = "memory"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.site.settings")

from channels.asgi import channel_layers, get_asgi_application
from channels.worker import Worker

application = get_asgi_application()
channel_layers["default"].router.check_default()
threading.Thread(target=Worker(channel_layers["default"], signal_handlers=False).run, daemon=True).start()
