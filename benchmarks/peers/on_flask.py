"""Flask: Flask-Security, and ours behind two views."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import flask
import flask_security
from flask_security.models import fsqla_v3
from flask_sqlalchemy import SQLAlchemy

from benchmarks.peers.ours import Shop, admit, context, form, must_be_in, set_cookie
from benchmarks.peers.sites import CHEAP, PASSWORD, Place, Site, made_fit
from shopaccounts import ShopAccounts
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.web import DEVICE_COOKIE

__all__ = ["flask_security_site", "ours_behind_flask"]

db = SQLAlchemy()
fsqla_v3.FsModels.set_db_info(db)


class Role(db.Model, fsqla_v3.FsRoleMixin):  # type: ignore[name-defined]  # the peer makes its base at run time
    """As the peer wants it."""


class User(db.Model, fsqla_v3.FsUserMixin):  # type: ignore[name-defined]  # as above
    """As the peer wants it."""


class IntoTheVoid(flask_security.MailUtil):
    """Renders mails and sends none."""

    def send_mail(self, *_: Any, **__: Any) -> None:
        """Do nothing."""


def flask_security_site(place: Place) -> Site:
    """Answer a shop on Flask-Security; its sessions live in cookies."""
    app = flask.Flask(__name__)
    app.config.update(
        SECRET_KEY="k" * 32,
        SECURITY_PASSWORD_SALT="s" * 32,
        SECURITY_REGISTERABLE=True,
        SECURITY_CONFIRMABLE=False,  # it would hash a token with half a million rounds, whatever passwords cost
        SECURITY_PASSWORD_CONFIRM_REQUIRED=False,
        SECURITY_PASSWORD_HASH="argon2",  # noqa: S106  (the name of a scheme)
        SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS={
            "argon2__rounds": CHEAP.time_cost,
            "argon2__memory_cost": CHEAP.memory_cost,
            "argon2__parallelism": CHEAP.parallelism,
        },
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},
        SQLALCHEMY_DATABASE_URI=place.url,
        WTF_CSRF_ENABLED=False,
    )
    db.init_app(app)
    store = flask_security.SQLAlchemyUserDatastore(db, User, Role)
    security = flask_security.Security(app, store, mail_util_cls=IntoTheVoid)
    with app.app_context():
        made_fit(db.engine)
        db.create_all()

    def admit(address: str) -> None:
        with app.app_context():
            now = security.datetime_factory()
            store.create_user(email=address, password=flask_security.hash_password(PASSWORD), confirmed_at=now)
            store.commit()

    return _site("Flask-Security", app, admit)


def ours_behind_flask(shop: Shop[ShopAccounts]) -> Site:
    """Answer our shop behind Flask."""
    app, accounts = flask.Flask(__name__), shop.accounts

    @app.post("/register")
    def register() -> Any:
        sent = flask.request.get_json()
        started = accounts.registration.register(form(sent["email"]), context())
        return {"handle": started.handle.reveal(), "masked": started.masked}

    @app.post("/login")
    def login() -> Any:
        sent = flask.request.get_json()
        here = context(flask.request.cookies.get(DEVICE_COOKIE))
        step = must_be_in(accounts.signin.sign_in_with_password(sent["email"], sent["password"], here))
        answer = flask.jsonify(account=step.account)
        for cookie in step.set_cookies:
            set_cookie(answer, cookie)
        return answer

    return _site("ours", app, lambda address: admit(shop, address), shop.devices)


def _site(name: str, app: flask.Flask, admit: Any, devices: Mapping[str, Secret[str]] = MappingProxyType({})) -> Site:
    client = app.test_client(use_cookies=False)

    def post(path: str, address: str) -> None:
        sent, headers = {"email": address, "password": PASSWORD}, {"Accept": "application/json"}
        if address in devices:
            headers["Cookie"] = f"{DEVICE_COOKIE}={devices[address].reveal()}"
        answer = client.post(path, json=sent, headers=headers)
        if answer.status_code != 200:  # noqa: PLR2004  (the status that all of these answer)
            raise RuntimeError(answer.get_data(as_text=True))

    return Site(
        name=name,
        register=lambda address: post("/register", address),
        sign_in=lambda address: post("/login", address),
        admit=admit,
    )
