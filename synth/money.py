"""Prices, what a call costs, and what a run would cost. Decimals throughout; nothing is rounded before it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from pydantic import Field

from factory.errors import UserError
from factory.recipe import Strict
from synth.request import Request

MILLION = Decimal(1_000_000)
UNSEEN_PROMPT = 600  # tokens of a prompt of which nothing is known yet
MESSAGE_TOKENS = 4  # that chat templates put around a message


class Price(Strict):
    """Of one model, a million tokens each."""

    prompt: Decimal = Field(ge=0)
    completion: Decimal = Field(ge=0)
    batch: Decimal = Field(Decimal(1), ge=0, le=1, description="Share of these prices that the batch API charges, such as 0.5.")

    def in_batch(self) -> Price:
        """What the batch API charges."""
        return Price(prompt=self.prompt * self.batch, completion=self.completion * self.batch)


class Prices(Strict):
    """A price table with its date: prices change, and a ledger keeps what was paid."""

    currency: str = Field("USD", min_length=3, max_length=3)
    dated: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="The day on which these were the prices.")
    models: dict[str, Price]

    def of(self, model: str) -> Price:
        """Raises UserError for a model without a price."""
        if model not in self.models:
            raise UserError(f"prices: model {model!r} has none. Add it under prices.models; a local model costs 0.")
        return self.models[model]


def cost(price: Price, prompt_tokens: int, completion_tokens: int) -> Decimal:
    """What a call costs."""
    return (price.prompt * prompt_tokens + price.completion * completion_tokens) / MILLION


class Estimate(NamedTuple):
    """What requests would come to."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: Decimal

    def plus(self, other: Estimate) -> Estimate:
        """Both together."""
        return Estimate(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost + other.cost,
        )


def estimate(
    requests: Sequence[Request],
    price: Price,
    tokens_per_char: float,
    completion_tokens: float,
    used: Sequence[tuple[int, int, int]] = (),
    more: int = 0,
) -> Estimate:
    """Prompts are counted from their characters, answers taken as `completion_tokens` each. With calls of the same task in `used`, what
    they really took is the measure of both: the prompts' characters are then scaled by what the endpoint counted. `more` are requests
    that will come and whose texts are not known yet: they count as the mean of those that are."""
    chars = [sum(len(message["content"]) for message in request.body["messages"]) for request in requests]
    overhead = sum(MESSAGE_TOKENS * len(request.body["messages"]) for request in requests)
    prompt, completion = round(sum(chars) * tokens_per_char) + overhead, round(len(requests) * completion_tokens)
    if used:
        counted = sum(chars_used for chars_used, _, _ in used)
        prompt = round(sum(chars) * sum(tokens for _, tokens, _ in used) / max(1, counted))
        completion = round(len(requests) * sum(tokens for _, _, tokens in used) / len(used))
    if more:
        if used:
            each_prompt, each_answer = (sum(column) / len(used) for column in list(zip(*used, strict=True))[1:])
        else:
            each_prompt, each_answer = prompt / len(requests) if requests else UNSEEN_PROMPT, completion_tokens
        prompt, completion = prompt + round(more * each_prompt), completion + round(more * each_answer)
    return Estimate(len(requests) + more, prompt, completion, cost(price, prompt, completion))
