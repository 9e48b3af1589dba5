"""What the classrooms built: FastAPI around transformers' pipeline. uvicorn app:app, with the model in $MODEL."""

import os

import torch
import transformers
from fastapi import FastAPI
from pydantic import BaseModel

torch.set_num_threads(1)
classify = transformers.pipeline("text-classification", model=os.environ["MODEL"], top_k=None, device="cpu")
app = FastAPI()


class Texts(BaseModel):
    text: list[str]


class Label(BaseModel):
    label: str
    score: float


class Predictions(BaseModel):
    predictions: list[list[Label]]


@app.get("/health")
async def health():
    return {"status": "healthy"}


@app.post("/bulk-predict")
def bulk_predict(texts: Texts) -> Predictions:
    return Predictions(predictions=classify(texts.text, truncation=True))
