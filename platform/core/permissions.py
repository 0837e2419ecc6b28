"""Who may, when a view says nothing."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request


class Refuse(BasePermission):
    """The default: a view that says nothing about who may is open to nobody."""

    def has_permission(self, request: Request, view: object) -> bool:
        return False
