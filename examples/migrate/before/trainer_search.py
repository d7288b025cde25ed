"""A tiny BERT that tells whether the token 1 occurs."""

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments


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


def hp_space(trial):
    """Return the configuration of a trial."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 0.0, 0.1),
        "per_device_train_batch_size": trial.suggest_categorical(
            "per_device_train_batch_size", [8, 16]
        ),
    }


if __name__ == "__main__":
    arguments = TrainingArguments(
        output_dir="trainer",
        num_train_epochs=3,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        use_cpu=True,
        report_to="none",
    )
    trainer = Trainer(
        model_init=model_init,
        args=arguments,
        train_dataset=toy(256, 0),
        eval_dataset=toy(64, 1),
        compute_metrics=compute_metrics,
    )
    best = trainer.hyperparameter_search(
        hp_space=hp_space,
        compute_objective=lambda metrics: metrics["eval_accuracy"],
        direction="maximize",
        n_trials=8,
        backend="optuna",
    )
    print(best.hyperparameters)
