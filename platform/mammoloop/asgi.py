"""The web process's door. It never imports torch: a test looks."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mammoloop.settings")

from django.core.asgi import get_asgi_application

application = get_asgi_application()
