"""Personal data as Taiwan writes it: numbers of people, companies, cars and accounts, telephones, mail, addresses."""

from factory.zh.pii.finder import find
from factory.zh.pii.identity import is_national_id
from factory.zh.pii.span import KINDS, PLACEHOLDERS, Span, redact

__all__ = ["KINDS", "PLACEHOLDERS", "Span", "find", "is_national_id", "redact"]
