"""
The keys that mail is signed with: PEM files under data_dir/dkim, a directory for each domain, a file for each
selector, and one that says which of them sign.

Everything here blocks; L{trekd.mailauth.keyring} runs it in a thread.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from trekd.errors import NoSuchKey, NotPermitted, StoreCorrupt, StoreFull, SyntaxFault
from trekd.mailauth.interfaces import DomainKey
from trekd.mailauth.keyrecords import write_key_record
from trekd.mailauth.names import ascii_domain

ALGORITHMS = ("rsa", "ed25519")
BITS = 2048
"""Of new RSA keys (RFC 8301 §3.2)."""

_SIGNING = "signing"
_SUFFIX = ".pem"
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class SigningKey:
    """
    A key that signs.

    @ivar algorithm: C{rsa} or C{ed25519}.
    """

    domain: str
    selector: str
    algorithm: str
    key: PrivateKey

    def sign(self, octets: bytes) -> bytes:
        """The signature of a header's octets (RFC 6376 §3.3, RFC 8463 §3)."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
        digest = hashes.Hash(hashes.SHA256())
        digest.update(octets)
        return self.key.sign(digest.finalize())


class KeyFiles:
    """
    The files.

    One selector of each algorithm signs for a domain: the first that was made, until another one is chosen.  Keys that
    do not sign stay published, so that mail on its way can still be verified.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def listed(self, domain: str | None = None) -> tuple[DomainKey, ...]:
        """
        All keys, or those of a domain, by domain and selector.

        @raise StoreCorrupt: a file holds no key.
        """
        with _told():
            domains = self._domains() if domain is None else [ascii_domain(domain)]
            return tuple(key for name in domains for key in self._keys_of(name))

    def signing(self, domain: str) -> tuple[SigningKey, ...]:
        """
        The keys that sign for a domain, RSA before Ed25519; none when there are none.

        @raise StoreCorrupt: a file holds no key.
        """
        name = ascii_domain(domain)
        with _told():
            chosen = self._chosen(name)
            return tuple(
                SigningKey(name, chosen[algorithm], algorithm, self._load(name, chosen[algorithm]))
                for algorithm in ALGORITHMS
                if algorithm in chosen
            )

    def published(self, domain: str) -> list[tuple[str, str]]:
        """Name and text of each TXT record that a domain needs."""
        return [(key.name, key.record) for key in self.listed(domain)]

    def create(self, domain: str, selector: str, algorithm: str) -> DomainKey:
        """
        Make a key; it signs when the domain had none of its algorithm.

        @raise NotPermitted: there is such a selector already.
        @raise StoreFull: it cannot be written; there is no such key.
        """
        name, selector = ascii_domain(domain), _checked(selector)
        if algorithm not in ALGORITHMS:
            raise SyntaxFault("rsa or ed25519")
        key: PrivateKey = (
            rsa.generate_private_key(65537, BITS) if algorithm == "rsa" else ed25519.Ed25519PrivateKey.generate()
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with _told():
            folder = self._directory / name
            self._directory.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            _sync(self._directory)
            if (folder / (selector + _SUFFIX)).exists():
                raise NotPermitted(f"{name} has a key {selector} already")
            _write(folder / (selector + _SUFFIX), pem)
            chosen = self._chosen(name)
            if algorithm not in chosen:
                self._choose(name, {**chosen, algorithm: selector})
        return self._one(name, selector)

    def use(self, domain: str, selector: str) -> DomainKey:
        """
        Let a key sign from now on, instead of the other one of its algorithm.

        @raise NoSuchKey: there is no such key.
        """
        key = self._one(ascii_domain(domain), selector)
        with _told():
            self._choose(key.domain, {**self._chosen(key.domain), key.algorithm: key.selector})
        return self._one(key.domain, selector)

    def remove(self, domain: str, selector: str) -> DomainKey:
        """
        Remove a key; nothing of its algorithm signs for the domain until another one is chosen.

        @raise NoSuchKey: there is no such key.
        """
        key = self._one(ascii_domain(domain), selector)
        with _told():
            if key.is_signing:
                chosen = self._chosen(key.domain)
                del chosen[key.algorithm]
                self._choose(key.domain, chosen)
            folder = self._directory / key.domain
            (folder / (key.selector + _SUFFIX)).unlink()
            _sync(folder)
        return key

    def _one(self, domain: str, selector: str) -> DomainKey:
        for key in self.listed(domain):
            if key.selector == _checked(selector):
                return key
        raise NoSuchKey(f"{domain} has no key {selector}")

    def _domains(self) -> list[str]:
        return sorted(each.name for each in _listed(self._directory) if each.is_dir())

    def _keys_of(self, domain: str) -> Iterator[DomainKey]:
        chosen = self._chosen(domain)
        for path in _listed(self._directory / domain):
            if path.suffix != _SUFFIX or path.name.startswith("."):
                continue
            key = self._load(domain, path.stem)
            algorithm = "rsa" if isinstance(key, rsa.RSAPrivateKey) else "ed25519"
            yield DomainKey(
                domain=domain,
                selector=path.stem,
                algorithm=algorithm,
                is_signing=chosen.get(algorithm) == path.stem,
                created=path.stat().st_mtime,
                record=write_key_record(key.public_key()),
            )

    def _load(self, domain: str, selector: str) -> PrivateKey:
        path = self._directory / domain / (selector + _SUFFIX)
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except FileNotFoundError:
            raise StoreCorrupt(f"{path} is missing") from None
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise StoreCorrupt(f"{path} holds no private key") from None
        if isinstance(key, (rsa.RSAPrivateKey, ed25519.Ed25519PrivateKey)):
            return key
        raise StoreCorrupt(f"{path} holds a key of another kind")

    def _chosen(self, domain: str) -> dict[str, str]:
        """Algorithm to the selector that signs."""
        try:
            lines = (self._directory / domain / _SIGNING).read_text("ascii").splitlines()
        except FileNotFoundError:
            return {}
        except ValueError:
            raise StoreCorrupt(f"{self._directory / domain / _SIGNING} is not text") from None
        words = [line.split() for line in lines]
        return {each[0]: _checked(each[1]) for each in words if len(each) == 2 and each[0] in ALGORITHMS}

    def _choose(self, domain: str, chosen: dict[str, str]) -> None:
        text = "".join(f"{algorithm} {selector}\n" for algorithm, selector in sorted(chosen.items()))
        _write(self._directory / domain / _SIGNING, text.encode())


def _checked(selector: str) -> str:
    name = selector.lower()
    if not _SELECTOR.fullmatch(name) or len(name) > 100:
        raise SyntaxFault("selector of letters, digits, hyphens and dots")
    return name


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _write(path: Path, octets: bytes) -> None:
    """Replace a file as a whole, readable by its owner alone, and make that durable."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told() -> Iterator[None]:
    """
    Failures of the file system as ours.

    @raise StoreFull: what it says.
    """
    try:
        yield
    except OSError as fault:
        raise StoreFull(f"{fault.filename}: {fault.strerror}") from None
