"""Which module of facula stands for which of PyTorch's; what is not listed has the same path in both."""

#: The top names, and what stands for them.
PACKAGES = {"torch": "facula", "torchvision": "facula_vision", "torchaudio": "facula_audio"}

#: The version of each that is stood for.
VERSIONS = {"torch": "2.13.0", "torchvision": "0.28.0", "torchaudio": "2.11.0"}

#: Modules that PyTorch keeps elsewhere. A name is looked for in each of the listed modules in turn.
MODULES: dict[str, tuple[str, ...]] = {
    "torch._tensor": ("facula.tensor",),
    "torch._tensor_str": ("facula.printing",),
    "torch.cuda.amp": ("facula.amp",),
    "torch.cuda.random": ("facula.cuda",),
    "torch.cuda.streams": ("facula.cuda",),
    "torch.functional": ("facula",),
    "torch.types": ("facula.types",),
    "torch.storage": ("facula.storage",),
    "torch._utils": ("facula.utils",),
    "torch.amp.grad_scaler": ("facula.amp.grad_scaler", "facula.amp"),
    "torch.autograd.profiler": ("facula.profiler",),
    "torch.autograd.function": ("facula.autograd.function", "facula.autograd"),
    "torch.autograd.grad_mode": ("facula.autograd",),
    "torch.autograd.anomaly_mode": ("facula.autograd",),
    "torch.autograd.variable": ("facula.autograd",),
    "torch.multiprocessing": ("multiprocessing",),
    "torch.nn.grad": ("facula.nn.functional",),
    "torch.nn.modules": ("facula.nn.modules", "facula.nn"),
    "torch.nn.modules.adaptive": ("facula.nn",),
    "torch.nn.modules.batchnorm": ("facula.nn.modules.normalization", "facula.nn"),
    "torch.nn.modules.channelshuffle": ("facula.nn",),
    "torch.nn.modules.distance": ("facula.nn",),
    "torch.nn.modules.flatten": ("facula.nn",),
    "torch.nn.modules.fold": ("facula.nn",),
    "torch.nn.modules.instancenorm": ("facula.nn.modules.normalization", "facula.nn"),
    "torch.nn.modules.lazy": ("facula.nn.lazy", "facula.nn"),
    "torch.nn.modules.module": ("facula.nn.module", "facula.nn.state", "facula.nn.hooks"),
    "torch.nn.modules.pixelshuffle": ("facula.nn",),
    "torch.nn.modules.upsampling": ("facula.nn",),
    "torch.nn.utils.clip_grad": ("facula.nn.utils",),
    "torch.nn.utils.convert_parameters": ("facula.nn.utils",),
    "torch.optim.adadelta": ("facula.optim",),
    "torch.optim.adagrad": ("facula.optim",),
    "torch.optim.adamax": ("facula.optim",),
    "torch.optim.adamw": ("facula.optim",),
    "torch.optim.radam": ("facula.optim",),
    "torch.optim.rmsprop": ("facula.optim",),
    "torch.utils.data._utils": ("facula.utils.data",),
    "torch.utils.data._utils.collate": ("facula.utils.data.collate", "facula.utils.data"),
    "torch.utils.data.dataloader": ("facula.utils.data.loader", "facula.utils.data"),
    "torch.utils.hooks": ("facula.graph.node",),
    "torch.utils.model_zoo": ("facula.hub",),
    "torch.utils._pytree": ("facula.utils.pytree",),
    "torch.ops": (),
    "torch.random": ("facula.random", "facula"),
    "torchvision.transforms.transforms": ("facula_vision.transforms",),
    "torchaudio.transforms._transforms": ("facula_audio.transforms",),
}
