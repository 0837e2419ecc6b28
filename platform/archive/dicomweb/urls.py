"""Addresses of exams, images, imports and archives."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
