"""Addresses under /api/v1/."""

from django.urls import path

from annotations.api import views

urlpatterns = [
    path("lexicon/", views.LexiconView.as_view()),
    path("worklist/", views.WorklistView.as_view()),
    path("worklist/next/", views.NextView.as_view()),
    path("readings/", views.ReadingsView.as_view()),
    path("readings/<uuid:reading_id>/", views.ReadingView.as_view()),
    path("readings/<uuid:reading_id>/edits/", views.EditsView.as_view()),
    path("readings/<uuid:reading_id>/lease/", views.LeaseView.as_view()),
    path("readings/<uuid:reading_id>/complete/", views.CompleteView.as_view()),
    path("readings/<uuid:reading_id>/amend/", views.AmendView.as_view()),
    path("readings/<uuid:reading_id>/discard/", views.DiscardView.as_view()),
    path("readings/<uuid:reading_id>/release/", views.ReleaseView.as_view()),
    path("readings/<uuid:reading_id>/skip/", views.SkipView.as_view()),
    path("readings/<uuid:reading_id>/flag/", views.FlagView.as_view()),
]
