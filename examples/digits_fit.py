"""Train, test and question a network on handwritten digits without writing a module: three seconds, no download."""

from facula import nn
from facula_lightning import Learner, seed_everything
from facula_vision.datasets import Digits
from facula_vision.transforms import ToTensor


def network() -> nn.Module:
    features = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    scores = nn.Sequential(nn.Dropout(0.3), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10))
    return nn.Sequential(features, scores)


if __name__ == "__main__":
    seed_everything(2)
    train, test = Digits(transform=ToTensor()), Digits(False, ToTensor())
    learner = Learner(network())
    learner.compile("adamw", "cross_entropy", ["accuracy"], lr=3e-3)
    history = learner.fit_one_cycle(train, epochs=8, validation_split=0.15)
    print("validation accuracy by epoch:", [round(each, 3) for each in history.history["val_accuracy"]])

    _, accuracy = learner.evaluate(test, batch_size=128, verbose=0)
    print(f"test accuracy {accuracy:.4f}; its hardest images:")
    answers = learner.predict(test, batch_size=128, verbose=0).argmax(1)
    for loss, place in zip(*learner.top_losses(test, k=5)):
        digit = test[int(place)][1]
        print(f"image {int(place)}, a {digit}, taken for a {int(answers[place])}: loss {float(loss):.2f}")
