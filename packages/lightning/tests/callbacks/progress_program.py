"""Trains, validates and predicts with a bar; the program of `test_progress`.

python progress_program.py plain|tqdm|rich [leave] [fail]
"""

import sys
import time

import facula
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import PlainProgressBar, RichProgressBar, TQDMProgressBar


class Model(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = facula.nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        time.sleep(0.015)
        if "fail" in sys.argv and batch_idx == 5:
            raise ZeroDivisionError
        if self.current_epoch == 1 and batch_idx == 10:
            self.trainer.print("printed above")
        loss = self.layer(batch[0]).pow(2).mean()
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch, batch_idx):
        time.sleep(0.015)
        self.log("quality", 0.5, prog_bar=True)

    def predict_step(self, batch, batch_idx):
        return self.layer(batch[0])

    def configure_optimizers(self):
        return facula.optim.SGD(self.parameters(), 0.1)


bar = {
    "plain": lambda: PlainProgressBar(line_seconds=0.1),
    "tqdm": lambda: TQDMProgressBar(leave="leave" in sys.argv),
    "rich": lambda: RichProgressBar(leave="leave" in sys.argv),
}[sys.argv[1]]()
trainer = Trainer(accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False, callbacks=[bar])
loader = DataLoader(TensorDataset(facula.rand(40, 2)), 2)
model = Model()
trainer.fit(model, loader, DataLoader(TensorDataset(facula.rand(8, 2)), 2))
trainer.validate(model, loader, verbose=False)
trainer.predict(model, loader)
