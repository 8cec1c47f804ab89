"""A billing of the usual kind: an ORM, and a transaction for each subscription."""

from datetime import date, datetime, timedelta
from itertools import count
from typing import Any, Final

from sqlalchemy import JSON, ForeignKey, Integer, String, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.peers.sites import Place, made_fit

__all__ = ["OrmBilling"]

FIRST: Final = date(2031, 2, 28)
PRICE: Final = 1790
TAX: Final = 19
_numbers = count(1)


class Base(DeclarativeBase):
    """The tables of this shop."""


class Agreement(Base):
    """A subscription."""

    __tablename__ = "agreements"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    customer: Mapped[str] = mapped_column(String(64))
    price: Mapped[int]
    cycles: Mapped[int] = mapped_column(default=1)
    due_on: Mapped[date] = mapped_column(index=True)
    version = mapped_column(Integer, nullable=False)
    facts: Mapped[Any] = mapped_column(JSON)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  (as SQLAlchemy wants it)


class Bill(Base):
    """An invoice."""

    __tablename__ = "bills"
    number: Mapped[int] = mapped_column(primary_key=True)
    agreement: Mapped[str] = mapped_column(ForeignKey(Agreement.id), index=True)
    written_at: Mapped[datetime]
    total: Mapped[int]
    lines: Mapped[Any] = mapped_column(JSON)


class BilledOnce(Base):
    """A cycle that was billed."""

    __tablename__ = "billed_once"
    agreement: Mapped[str] = mapped_column(ForeignKey(Agreement.id), primary_key=True)
    cycle: Mapped[int] = mapped_column(primary_key=True)
    bill: Mapped[int] = mapped_column(ForeignKey(Bill.number))


class Payment(Base):
    """A payment to be made."""

    __tablename__ = "payments"
    bill: Mapped[int] = mapped_column(ForeignKey(Bill.number), primary_key=True)
    amount: Mapped[int]


class Told(Base):
    """An event."""

    __tablename__ = "told"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    data: Mapped[Any] = mapped_column(JSON)


class OrmBilling:
    """So many subscriptions that are due, and their bills one by one.

    Args:
        place: An empty database.
        size: How many subscriptions it gets.
    """

    def __init__(self, place: Place, size: int) -> None:
        self._engine = made_fit(create_engine(place.url))
        Base.metadata.create_all(self._engine)
        with Session(self._engine) as session:
            session.add_all(
                Agreement(
                    id=f"agreement-{n:08}", customer=f"customer-{n:08}", price=PRICE, due_on=FIRST, facts={"n": n}
                )
                for n in range(size)
            )
            session.commit()
        place.look_over()

    def bill(self, times: int) -> None:
        """Bill so many subscriptions, each in a transaction of its own."""
        with Session(self._engine) as session:
            due = session.scalars(select(Agreement.id).where(Agreement.due_on <= FIRST).limit(times)).all()
        for id in due:
            with Session(self._engine) as session:
                self._bill(session, id)
                session.commit()

    def _bill(self, session: Session, id: str) -> None:
        agreement = session.get_one(Agreement, id, with_for_update=True)
        number, tax = next(_numbers), round(agreement.price * TAX / 100)
        lines = [{"product": "coffee", "amount": agreement.price, "tax": tax}]
        total = agreement.price + tax
        session.add(Bill(number=number, agreement=id, written_at=datetime(2031, 3, 2), total=total, lines=lines))  # noqa: DTZ001  (not about time)
        session.flush()
        session.add(BilledOnce(agreement=id, cycle=agreement.cycles, bill=number))
        session.add(Payment(bill=number, amount=total))
        session.add(Told(name="renewed", data={"agreement": id, "cycle": agreement.cycles}))
        session.add(Told(name="issued", data={"bill": number, "total": total}))
        agreement.cycles += 1
        agreement.due_on += timedelta(days=31)

    def close(self) -> None:
        """Give back what is open."""
        self._engine.dispose()
