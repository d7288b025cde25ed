"""A tiny BERT that tells whether the token 1 occurs."""

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from search.callbacks import TransformersCallback


def toy(count, seed):
    """Return `count` sequences of 8 tokens, each with its label."""
    tokens = torch.randint(1, 20, (count, 8), generator=torch.Generator().manual_seed(seed))
    return [{"input_ids": row, "labels": int((row == 1).any())} for row in tokens]


def compute_metrics(predicted):
    """Return the metrics of an evaluation."""
    return {"accuracy": (predicted.predictions.argmax(-1) == predicted.label_ids).mean()}


def model_init():
    """Return a new model."""
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    return BertForSequenceClassification(BertConfig(vocab_size=20, intermediate_size=32, **shape))


def train(configuration, trial):
    """Train with the configuration of a trial."""
    arguments = TrainingArguments(
        output_dir=trial.folder / "trainer",
        num_train_epochs=trial.epochs,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        use_cpu=True,
        report_to="none",
        seed=trial.seed,
        **configuration,
    )
    trainer = Trainer(
        model_init=model_init,
        args=arguments,
        train_dataset=toy(256, 0),
        eval_dataset=toy(64, 1),
        compute_metrics=compute_metrics,
        callbacks=[TransformersCallback(trial)],
    )
    trainer.train(resume_from_checkpoint=trial.checkpoint)
