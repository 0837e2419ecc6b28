"""The exchange floor: on start it tells the archive which data sets it can recognise."""

from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    """Importers, snapshots, exporters."""

    name = "exchange"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from exchange import importers, receivers

        importers.register_all()
        receivers.connect()
