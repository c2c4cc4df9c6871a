"""A local endpoint that counts what it is asked, answers by the hash of the request, and fails where a message says so.

Run as a program it prints its port and writes each request's hash to a file, so that a test sees what was paid twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
from typing import Any

WORDS = [
    "早上",
    "下午",
    "巷口",
    "阿嬤",
    "便當",
    "捷運",
    "雨傘",
    "老闆",
    "同事",
    "週末",
    "夜市",
    "市場",
    "公園",
    "圖書館",
    "腳踏車",
    "作業",
    "老師",
    "鄰居",
    "電話",
    "行李",
    "火車",
    "月台",
    "海邊",
    "山上",
    "溪水",
    "榕樹",
    "涼亭",
    "茶葉",
    "豆漿",
    "飯糰",
    "菜市場",
    "零錢",
    "發票",
    "收據",
    "信封",
    "郵差",
    "廟口",
    "鞭炮",
    "燈籠",
    "湯圓",
    "月亮",
    "颱風",
    "窗戶",
    "棉被",
    "冷氣",
    "電扇",
    "冰箱",
    "鍋子",
    "醬油",
    "青菜",
    "地瓜",
    "鳳梨",
    "西瓜",
    "芒果",
    "鉛筆",
    "橡皮擦",
    "黑板",
    "操場",
    "籃球",
    "游泳",
    "登山",
    "露營",
    "照片",
    "相機",
    "故事",
    "笑話",
    "歌曲",
    "吉他",
    "鋼琴",
    "電影",
    "票根",
    "座位",
]


def sentence(rng: random.Random, words: int) -> str:
    return "".join(rng.sample(WORDS, words))


def content(prompt: str, seed: Any) -> str:
    """An answer in the form that the prompt asks for, different for each request and the same for the same one."""
    rng = random.Random(f"{seed}{prompt}")
    pair = {"question": f"關於{sentence(rng, 9)}，該怎麼辦？", "answer": f"可以先想想{sentence(rng, 12)}。再去看看{sentence(rng, 6)}。"}
    if "correct、fluent" in prompt:
        return json.dumps(
            {**{name: rng.randint(3, 5) for name in ("correct", "fluent", "taiwanese", "helpful")}, "reason": "通順"}, ensure_ascii=False
        )
    if "role（user" in prompt:
        turns = [{"role": role, "content": pair[name]} for role, name in (("user", "question"), ("assistant", "answer"))]
        return "```json\n" + json.dumps(turns * 2, ensure_ascii=False) + "\n```"
    if "spans" in prompt:
        passage = prompt.rsplit("段落：", 1)[1].split("\n問答：")[0].strip()
        return json.dumps({**pair, "spans": [passage[:10]]}, ensure_ascii=False)
    if "JSON 陣列" in prompt:
        return json.dumps([pair, {"question": f"請問{sentence(rng, 9)}？", "answer": pair["answer"]}], ensure_ascii=False)
    return json.dumps(pair, ensure_ascii=False)


class Server:
    """`log` gets a line for each request that is answered or failed; `delay` is seconds before an answer."""

    def __init__(self, log: str | None = None, delay: float = 0.0, busy_every: int = 0) -> None:
        self.log, self.delay, self.busy_every = log, delay, busy_every
        self.requests: list[str] = []
        self.now = self.most = 0
        self.port = 0

    async def start(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._server = server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in head.split("\r\n")[1:])}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                await self._answer(writer, headers, body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, headers: dict[str, str], body: bytes) -> None:
        asked = json.loads(body)
        prompt = asked["messages"][-1]["content"]
        digest = hashlib.sha256(body).hexdigest()
        self.requests.append(digest)
        if self.log:
            with open(self.log, "a", encoding="utf-8") as stream:
                stream.write(digest + "\n")
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.delay:
                await asyncio.sleep(self.delay)
            if headers.get("authorization") == "Bearer sk-bad":
                self._send(writer, 401, b'{"error": {"message": "bad key"}}')
            elif asked["model"] == "unknown":
                self._send(writer, 404, b'{"error": {"message": "no such model"}}')
            elif self.busy_every and len(self.requests) % self.busy_every == 0:
                self._send(writer, 429, b'{"error": {"message": "slow down"}}', "retry-after: 0.01\r\n")
            elif "[[400]]" in prompt:
                self._send(writer, 400, b'{"error": {"message": "refused"}}')
            elif "[[hang]]" in prompt:
                await asyncio.sleep(3600)
            elif "[[words]]" in prompt:
                self._send(writer, 200, b"<html>busy</html>")
            else:
                message = {"role": "assistant", "content": content(prompt, asked.get("seed"))}
                usage = {"prompt_tokens": len(prompt), "completion_tokens": len(message["content"]), "total_tokens": 0}
                reply = {"id": "x", "object": "chat.completion", "created": 0, "model": asked["model"], "usage": usage}
                reply["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
                self._send(writer, 200, json.dumps(reply, ensure_ascii=False).encode(), cut="[[cut]]" in prompt)
            await writer.drain()
        finally:
            self.now -= 1

    @staticmethod
    def _send(writer: asyncio.StreamWriter, status: int, body: bytes, more: str = "", cut: bool = False) -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{more}\r\n"
        writer.write(head.encode() + (body[: len(body) // 2] if cut else body))
        if cut:
            writer.close()


async def main(log: str, delay: float) -> None:
    server = Server(log, delay)
    await server.start()
    print(server.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
