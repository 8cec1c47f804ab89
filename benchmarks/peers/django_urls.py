"""The pages of the shops on Django; read by Django once it is set up."""

from django.urls import include, path

from benchmarks.peers import on_django

urlpatterns = [
    path("plain/register", on_django.register),
    path("plain/login", on_django.login),
    path("ours/register", on_django.register_ours),
    path("ours/login", on_django.login_ours),
    path("_allauth/", include("allauth.headless.urls")),
]
