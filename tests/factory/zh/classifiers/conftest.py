"""A small classifier trained here, so that its scores can be compared with fastText's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus.classifiers.train import write_start
from factory.zh.classifiers.tokens import tokens

TEXTS = {
    "tw": [
        "今天去夜市吃蚵仔煎，結果排隊排了半小時。",
        "發票對中兩百塊，開心到不行！",
        "捷運站旁邊那間早餐店的蛋餅很讚",
        "健保卡掉了要去哪裡補辦？",
    ],
    "cn": [
        "今天坐地铁去公司，结果视频会议迟到了。",
        "这个软件的质量真不错，推荐大家下载。",
        "小区门口的快递柜又满了",
        "高考成绩出来了吗？",
    ],
    "yue": ["今日去食飯，個侍應好冇禮貌囉。", "你哋做緊乜嘢呀？快啲過嚟啦！", "佢話唔使驚，聽日就搞掂。", "我哋喺度等咗好耐喇"],
}


def train(folder: Path, quantized: bool, loss: str = "softmax", run: int = 3) -> Path:
    import fasttext

    lines = [
        f"__label__{label} {' '.join(tokens(text, run))}" for label, texts in TEXTS.items() for text in texts * 60
    ]  # fastText calls the loss of very few lines NaN
    (folder / "train.txt").write_text("\n".join(lines) + "\n", "utf-8")
    words = {token for texts in TEXTS.values() for text in texts for token in tokens(text, run)}
    write_start(str(folder / "start.vec"), words, 5, 7)
    model = fasttext.train_supervised(
        str(folder / "train.txt"),
        pretrainedVectors=str(folder / "start.vec"),
        dim=5,
        epoch=3,
        lr=0.5,
        minCount=1,
        wordNgrams=1,
        minn=0,
        maxn=0,
        thread=1,
        loss=loss,
        seed=7,
        verbose=0,
    )
    if quantized:
        model.quantize(str(folder / "train.txt"), cutoff=300, retrain=True, qnorm=True, dsub=2, thread=1, epoch=1, lr=0.2, verbose=0)
    path = folder / ("model.ftz" if quantized else "model.bin")
    model.save_model(str(path))
    return path


@pytest.fixture(scope="session", params=[True, False], ids=["quantized", "full"])
def model_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("model"), request.param)
