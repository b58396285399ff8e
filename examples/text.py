"""Which words made a small network like or dislike a sentence: token ids, explained at their embedding.

    python examples/text.py

A network of one convolution learns short reviews (Kotzias et al. 2015, CC BY 4.0) in two seconds, and is right about
three of four new ones. Ids cannot be moved along a path, their embeddings can. It starts at padding. Writes text.pdf.
"""

import csv
import re
from collections import Counter
from pathlib import Path

import torch
from torch import nn

import gradline as gl

torch.manual_seed(0)
with Path(__file__).with_name("reviews.csv").open(encoding="utf-8") as file:
    rows = [(re.findall(r"[a-z']+|[!?.]", row["sentence"].lower()), int(row["label"])) for row in csv.DictReader(file)]
seen = [row for k, row in enumerate(rows) if k % 5]
new = [row for k, row in enumerate(rows) if k % 5 == 0]
known = [word for word, n in Counter(word for words, _ in seen for word in dict.fromkeys(words)).items() if n > 1]
vocabulary = {word: k + 2 for k, word in enumerate(known)}  # 0 is padding, 1 an unknown word


class Reviews(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.dropout = nn.Embedding(len(vocabulary) + 2, 32, padding_idx=0), nn.Dropout(0.3)
        self.convolution, self.head = nn.Conv1d(32, 64, 3, padding=1), nn.Linear(64, 2)

    def forward(self, ids):
        there = (ids != 0).unsqueeze(1)
        features = nn.functional.gelu(self.convolution(self.dropout(self.embedding(ids)).mT)) * there
        return self.head(self.dropout(features.sum(2) / there.sum(2).clamp(min=1)))


def encode(rows):
    ids = [torch.tensor([vocabulary.get(word, 1) for word in words]) for words, _ in rows]
    return nn.utils.rnn.pad_sequence(ids, batch_first=True), torch.tensor([label for _, label in rows])


model, (ids, labels) = Reviews(), encode(seen)
optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
for _ in range(60):
    optimiser.zero_grad()
    hidden = torch.where((torch.rand(ids.shape) < 0.3) & (ids > 0), 1, ids)  # some words unknown, so that all count
    nn.functional.cross_entropy(model(hidden), labels).backward()
    optimiser.step()
model.eval()
ids, labels = encode(new)
print(f"right about {(model(ids).argmax(1) == labels).float().mean():.0%} of {len(new)} new sentences\n")
words, _ = max(new, key=lambda row: "not" in row[0] and len(row[0]))
a = gl.explain(model, encode([(words, 0)])[0], gl.Margin(1), site=gl.Layer("embedding"))  # liked, less disliked
print(a, "\n")
for word, value in zip(words, a.sum(2)[0], strict=True):
    print(f"{value:+.3f}  {word}")
gl.plots.write_figure(gl.plots.bars(a, names=words), "text.pdf")
