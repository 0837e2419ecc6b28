from django.apps import AppConfig


class MammoloopConfig(AppConfig):
    name = "mammoloop"
    label = "mammoloop"
