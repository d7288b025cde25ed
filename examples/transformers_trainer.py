"""A script with `transformers.Trainer` as a training function: the callback is the one line more.

The model is tiny and the task a toy (does the token 1 occur?), so that it runs in seconds. Run it
from the folder above: `twentieth run examples/transformers_trainer.yaml`.
"""

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from search.callbacks import TransformersCallback


def toy(count, seed):
    """Return `count` sequences of 8 tokens, each with its label."""
    tokens = torch.randint(1, 20, (count, 8), generator=torch.Generator().manual_seed(seed))
    return [{"input_ids": row, "labels": int((row == 1).any())} for row in tokens]


def accuracy(predicted):
    """Return the metrics of an evaluation."""
    return {"accuracy": (predicted.predictions.argmax(-1) == predicted.label_ids).mean()}


def train(configuration, trial):
    """Fine-tune a tiny BERT."""
    torch.manual_seed(trial.seed)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = BertForSequenceClassification(BertConfig(vocab_size=20, intermediate_size=32, **shape))
    arguments = TrainingArguments(
        output_dir=trial.folder / "trainer",
        num_train_epochs=trial.epochs,
        learning_rate=configuration["learning_rate"],
        weight_decay=configuration["weight_decay"],
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        seed=trial.seed,
        use_cpu=trial.device == "cpu",
        report_to="none",
    )
    trainer = Trainer(
        model, arguments, train_dataset=toy(64, 0), eval_dataset=toy(32, 1),
        compute_metrics=accuracy,
        callbacks=[TransformersCallback(trial)],
    )  # fmt: skip
    trainer.train(resume_from_checkpoint=trial.checkpoint)
