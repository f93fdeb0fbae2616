"""What a type checker says of sounds: functions, transforms, models and files."""

import io
from typing import Any, assert_type

import facula
import facula_audio
from facula import Tensor
from facula_audio import functional as F
from facula_audio import models, transforms

sound = facula.zeros(1, 800)
assert_type(F.resample(sound, 8000, 16000), Tensor)
assert_type(F.edit_distance("abc", "abd"), int)

mel = transforms.MelSpectrogram(sample_rate=8000, n_mels=20)
assert_type(mel, transforms.MelSpectrogram)
assert_type(mel(sound), Any)
assert_type(mel.forward(sound), Tensor)
assert_type(transforms.MFCC(8000, 13, melkwargs={"n_mels": 20}).forward(sound), Tensor)
assert_type(models.M5(n_output=35), models.M5)

file = io.BytesIO()
facula_audio.save(file, sound, 8000, format="wav")
file.seek(0)
waveform, rate = facula_audio.load(file)
assert_type(waveform, Tensor)
assert_type(rate, int)
file.seek(0)
assert_type(facula_audio.info(file), facula_audio.AudioMetaData)
