"""What a route may ask for by the name of a parameter: `hub: GivenHub`. `app.main` provides each."""

from litestar.di import NamedDependency

from app.auth.keys import Caller, KeyRing
from app.db.session import Database
from app.hub.hub import Hub

GivenCaller = NamedDependency[Caller]
GivenDatabase = NamedDependency[Database]
GivenHub = NamedDependency[Hub]
GivenKeyRing = NamedDependency[KeyRing]
