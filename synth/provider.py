"""Any endpoint that speaks OpenAI's chat completions: which addresses may be asked, and which failures are worth another try."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field

from factory.errors import UserError
from factory.recipe import Strict

POOL = 16  # connections of one client


class Endpoint(Strict):
    """Where the model is."""

    base_url: str = Field(description="Such as http://127.0.0.1:8000/v1.")
    model: str = Field(min_length=1)
    api_key_env: str | None = Field(None, pattern=r"^[A-Z_][A-Z0-9_]*$", description="Environment variable with the key; null for none.")
    max_in_flight: int = Field(16, ge=1, le=4096, description="Requests at once; fewer while the endpoint says that it is busy.")
    timeout_seconds: float = Field(120.0, gt=0, allow_inf_nan=False, description="For one request, from sending to the last byte.")
    attempts: int = Field(4, ge=1, description="Tries of one request before it is given up.")
    batch_requests: int = Field(10_000, ge=1, le=50_000, description="With --batch: requests in one batch at most.")
    batch_poll_seconds: float = Field(30.0, gt=0, allow_inf_nan=False, description="With --batch: how often its state is asked for.")
    allow_hosts: tuple[str, ...] = Field((), description="Hosts beside this machine that --on-premise may ask.")


class Answer(NamedTuple):
    """What a model said, and what that is charged as."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str


class Refused(Exception):
    """The endpoint will not answer this request, however often it is asked."""


class Busy(Exception):
    """The endpoint, or the way to it, failed for now."""

    def __init__(self, message: str, after: float | None = None, slow_down: bool = False) -> None:
        super().__init__(message)
        self.after, self.slow_down = after, slow_down


def refuse_strangers(endpoint: Endpoint) -> None:
    """Raises UserError where the address is neither this machine's nor listed."""
    host = urlsplit(endpoint.base_url).hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local and host not in endpoint.allow_hosts:
        raise UserError(f"endpoint.base_url: --on-premise refuses {host!r}: it is not this machine. List it under endpoint.allow_hosts.")


class Provider:
    """An open client. Use `async with`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint, self._key = endpoint, key_of(endpoint)
        self._clients: list[Any] = []
        self._next = 0

    async def __aenter__(self) -> Provider:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        seconds, url = self._endpoint.timeout_seconds, self._endpoint.base_url
        # A pool of connections looks through all of them for each request: several small pools take a third of the time of one large.
        for _ in range(-(-self._endpoint.max_in_flight // POOL)):
            # trust_env off: no proxy that an environment names sees a text that is meant for this address
            http = DefaultAsyncHttpxClient(timeout=seconds, trust_env=False, follow_redirects=False)
            self._clients.append(AsyncOpenAI(base_url=url, api_key=self._key, max_retries=0, timeout=seconds, http_client=http))
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            await client.close()

    async def ask(self, body: dict[str, Any]) -> Answer:
        """One try. Raises Refused or Busy; UserError where no request can succeed (a wrong key, an unknown model)."""
        import openai
        from openai.types.chat import ChatCompletion

        self._next = (self._next + 1) % len(self._clients)
        body = {"model": self._endpoint.model, **body}
        try:
            async with asyncio.timeout(self._endpoint.timeout_seconds):
                reply = await self._clients[self._next].post("/chat/completions", cast_to=ChatCompletion, body=body)
        except (TimeoutError, openai.OpenAIError, OSError, ValueError) as error:  # also streams that end early, replies that are no JSON
            raise understood(error, self._endpoint) from None
        return read_completion(reply)


def key_of(endpoint: Endpoint) -> str:
    """The key from its environment variable. Raises UserError where it is not set or the address is none."""
    key = os.environ.get(endpoint.api_key_env, "") if endpoint.api_key_env else "none"
    if not key:
        raise UserError(f"endpoint.api_key_env: {endpoint.api_key_env} is not set. Export it, or remove the key for an endpoint without.")
    if urlsplit(endpoint.base_url).scheme not in ("http", "https") or not urlsplit(endpoint.base_url).hostname:
        raise UserError(f"endpoint.base_url: {endpoint.base_url!r} is no address. Write it like http://127.0.0.1:8000/v1.")
    return key


def understood(error: Exception, endpoint: Endpoint) -> Exception:
    """What a client's error means: UserError where no request can succeed, Busy where another try may, Refused for this request alone."""
    import openai

    if isinstance(error, TimeoutError | openai.APITimeoutError):
        return Busy(f"no answer in {endpoint.timeout_seconds:g} s")
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return UserError(f"{endpoint.base_url}: refuses the key ({error.status_code}). Correct {endpoint.api_key_env}.")
    if isinstance(error, openai.NotFoundError):
        return UserError(f"{endpoint.base_url}: does not know model {endpoint.model!r} or this path. Correct endpoint.")
    if isinstance(error, openai.APIStatusError):
        if error.status_code in (408, 409, 425, 429) or error.status_code >= 500:
            return Busy(f"HTTP {error.status_code}", _after(error.response), slow_down=error.status_code in (429, 503))
        return Refused(f"HTTP {error.status_code}")
    return Busy(type(error).__name__)


def _after(response: Any) -> float | None:
    try:
        return max(0.0, min(60.0, float(response.headers.get("retry-after", ""))))
    except ValueError:
        return None


def read_completion(reply: Any) -> Answer:
    """The answer in a chat completion. Raises Busy or Refused where it holds none."""
    try:
        choice, usage = reply.choices[0], reply.usage
        text = choice.message.content
        prompt, completion = (int(usage.prompt_tokens), int(usage.completion_tokens)) if usage else (0, 0)
    except (AttributeError, IndexError, TypeError, ValueError):
        raise Busy("the reply is no chat completion") from None
    if not isinstance(text, str):
        raise Refused("the reply holds no text")
    return Answer(text, prompt, completion, str(choice.finish_reason))
