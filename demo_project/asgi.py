"""The site as ASGI servers load it."""

import os

from django.core.asgi import get_asgi_application

from yao_tasks.asgi import with_lifespan

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo_project.settings")
application = with_lifespan(get_asgi_application())
