"""What a type checker says of models, transforms, boxes and data sets of images."""

from typing import Any, assert_type

import facula
import PIL.Image
from facula import Tensor, nn
from facula.utils.data import DataLoader
from facula_vision import datasets, io, models, ops, tv_tensors
from facula_vision.transforms import functional as F
from facula_vision.transforms import v2

# Models.
model = models.resnet18(num_classes=10)
assert_type(model, models.ResNet)
assert_type(model.fc, nn.Linear)
assert_type(model.conv1, nn.Conv2d)
assert_type(model.eval(), models.ResNet)
assert_type(model.forward(facula.zeros(1, 3, 32, 32)), Tensor)
assert_type(models.get_model("resnet18"), nn.Module)
assert_type(models.get_model_weights("resnet18"), type[models.WeightsEnum])
model.fc = nn.Linear(model.fc.in_features, 3)

# Transforms: what comes in is what comes out.
image = facula.zeros(3, 8, 6)
picture = PIL.Image.new("RGB", (6, 8))
assert_type(F.resize(image, [4, 3]), Tensor)
assert_type(F.hflip(picture), PIL.Image.Image)
assert_type(F.pil_to_tensor(picture), Tensor)
assert_type(F.to_pil_image(image), PIL.Image.Image)
transform = v2.Compose([v2.Resize(4), v2.RandomHorizontalFlip(), v2.ToDtype(facula.float32, scale=True)])
assert_type(transform, v2.Compose)
assert_type(transform(picture), Any)

# Boxes and masks.
boxes = tv_tensors.BoundingBoxes([[0.0, 0.0, 2.0, 2.0]], format="XYXY", canvas_size=(8, 6))
assert_type(boxes, tv_tensors.BoundingBoxes)
assert_type(boxes.format, tv_tensors.BoundingBoxFormat)
assert_type(boxes.canvas_size, tuple[int, int])
assert_type(ops.nms(boxes, facula.ones(1), 0.5), Tensor)
assert_type(ops.box_iou(boxes, boxes), Tensor)

# Files and data sets.
assert_type(io.encode_png(image.byte()), Tensor)
assert_type(io.decode_image(io.encode_png(image.byte())), Tensor)


class Squares(datasets.VisionDataset):
    """Grey squares and their brightness."""

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return facula.full((1, 4, 4), index, dtype=facula.uint8), index

    def __len__(self) -> int:
        return 4


squares = Squares()
assert_type(squares[0], tuple[Tensor, int])
assert_type(DataLoader(squares, batch_size=2), DataLoader[tuple[Any, Any]])
for images, labels in DataLoader(squares, batch_size=2):
    assert len(images) == len(labels)
