"""FastAPI: fastapi-users, and ours behind two routes."""

import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any

import fastapi
import httpx
from fastapi.security import OAuth2PasswordRequestForm
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, CookieTransport
from fastapi_users.authentication.strategy.db import DatabaseStrategy
from fastapi_users.password import PasswordHelper
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy.access_token import SQLAlchemyAccessTokenDatabase, SQLAlchemyBaseAccessTokenTableUUID
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from benchmarks.peers.ours import Shop, admit_later, context, form, must_be_in, set_cookie
from benchmarks.peers.sites import CHEAP, PASSWORD, Place, Site, made_fit
from shopaccounts import AsyncShopAccounts
from shopaccounts.kernel.web import DEVICE_COOKIE

__all__ = ["fastapi_users_bare", "fastapi_users_site", "ours_behind_fastapi"]

TypedIn = Annotated[str, fastapi.Form()]
HELPER = PasswordHelper(PasswordHash((Argon2Hasher(CHEAP.time_cost, CHEAP.memory_cost, CHEAP.parallelism),)))


class Base(DeclarativeBase):
    """As the peer wants it."""


class User(SQLAlchemyBaseUserTableUUID, Base):
    """As the peer wants it."""


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    """Sessions in the database, as ours are."""


class Manager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    """Makes a token to verify the address with, and mails nothing."""

    reset_password_token_secret = "k" * 32
    verification_token_secret = "k" * 32

    async def on_after_register(self, user: User, request: fastapi.Request | None = None) -> None:
        """Ask for the verification."""
        await self.request_verify(user, request)


class Parts:
    """What a shop on fastapi-users is made of."""

    def __init__(self, place: Place) -> None:
        self.engine = made_fit(create_async_engine(place.async_url))
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    async def make_tables(self) -> None:
        """Make the tables."""
        async with self.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)

    async def session(self) -> AsyncIterator[AsyncSession]:
        """Give a session for one request."""
        async with self.sessions() as session:
            yield session

    def manager(self, session: AsyncSession) -> Manager:
        """Answer the user manager of one request."""
        return Manager(SQLAlchemyUserDatabase(session, User), HELPER)

    def strategy(self, session: AsyncSession) -> Any:
        """Answer where the tokens of one request are kept."""
        return DatabaseStrategy(SQLAlchemyAccessTokenDatabase(session, AccessToken), lifetime_seconds=3600)

    async def create(self, address: str) -> None:
        """Make a customer."""
        async with self.sessions() as session:
            await self.manager(session).create(schemas.BaseUserCreate(email=address, password=PASSWORD), safe=True)


async def fastapi_users_site(place: Place) -> Site:
    """Answer a shop on fastapi-users, behind its own routes."""
    parts, app = Parts(place), fastapi.FastAPI()
    await parts.make_tables()

    async def manager(session: Annotated[AsyncSession, fastapi.Depends(parts.session)]) -> AsyncIterator[Manager]:
        yield parts.manager(session)

    def strategy(session: Annotated[AsyncSession, fastapi.Depends(parts.session)]) -> Any:
        return parts.strategy(session)

    backend = AuthenticationBackend("database", CookieTransport(), strategy)
    users = FastAPIUsers[User, uuid.UUID](manager, [backend])
    app.include_router(users.get_auth_router(backend))
    app.include_router(users.get_register_router(schemas.BaseUser[uuid.UUID], schemas.BaseUserCreate))
    client = _client(app)

    async def register(address: str) -> None:
        _check(await client.post("/register", json={"email": address, "password": PASSWORD}))

    async def sign_in(address: str) -> None:
        _check(await client.post("/login", data={"username": address, "password": PASSWORD}))
        client.cookies.clear()

    return Site(
        name="fastapi-users", register=register, sign_in=sign_in, admit=parts.create, close=parts.engine.dispose
    )


async def fastapi_users_bare(place: Place) -> Site:
    """Answer a shop on fastapi-users whose manager is called directly."""
    parts = Parts(place)
    await parts.make_tables()

    async def sign_in(address: str) -> None:
        async with parts.sessions() as session:
            given = OAuth2PasswordRequestForm(username=address, password=PASSWORD)
            user = await parts.manager(session).authenticate(given)
            await parts.strategy(session).write_token(user)

    return Site(
        name="fastapi-users", register=parts.create, sign_in=sign_in, admit=parts.create, close=parts.engine.dispose
    )


def ours_behind_fastapi(shop: Shop[AsyncShopAccounts]) -> Site:
    """Answer our shop behind FastAPI."""
    app, accounts = fastapi.FastAPI(), shop.accounts

    @app.post("/register")
    async def register(email: Annotated[str, fastapi.Body(embed=True)]) -> dict[str, str]:
        started = await accounts.registration.register(form(email), context())
        return {"handle": started.handle.reveal(), "masked": started.masked}

    @app.post("/login")
    async def login(
        request: fastapi.Request, answer: fastapi.Response, username: TypedIn, password: TypedIn
    ) -> dict[str, str]:
        here = context(request.cookies.get(DEVICE_COOKIE))
        step = must_be_in(await accounts.signin.sign_in_with_password(username, password, here))
        for cookie in step.set_cookies:
            set_cookie(answer, cookie)
        return {"account": step.account}

    client = _client(app)

    async def post_register(address: str) -> None:
        _check(await client.post("/register", json={"email": address, "password": PASSWORD}))

    async def post_login(address: str) -> None:
        known = {"Cookie": f"{DEVICE_COOKIE}={shop.devices[address].reveal()}"}
        _check(await client.post("/login", data={"username": address, "password": PASSWORD}, headers=known))
        client.cookies.clear()

    return Site(
        name="ours", register=post_register, sign_in=post_login, admit=lambda address: admit_later(shop, address)
    )


def _client(app: fastapi.FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://shop.example")


def _check(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise RuntimeError(answer.text)
