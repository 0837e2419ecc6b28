"""Where a run computes: number formats, the end of memory, and norms of several GPUs, as far as a CPU can tell."""

import copy

import pytest
import torch
from torch import nn

from ml.blocks.norm import is_batch_norm
from ml.methods.multiscale_patch import ScanNet
from ml.runs.request import Compute
from ml.training.device import Machine, is_out_of_memory, machine_for
from ml.training.norms import join_norms
from ml.training.ranks import Ranks

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize(("wanted", "got"), [("auto", "fp32"), ("fp32", "fp32"), ("bf16", "bf16"), ("fp16", "fp16")])
def test_a_cpu_computes_in_what_it_is_asked_for(wanted, got):
    assert machine_for(Compute(device="cpu", precision=wanted)).precision == got


@pytest.mark.parametrize(("capability", "got"), [((7, 5), "fp16"), ((8, 0), "bf16"), ((9, 0), "bf16")])
def test_a_gpu_without_bf16_falls_back_to_fp16(monkeypatch, capability, got):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    machine = machine_for(Compute(device="cuda"))
    assert machine.precision == got
    assert (machine_for(Compute(device="cuda", precision="fp32"))).precision == "fp32"


def test_only_a_failed_allocation_is_the_end_of_memory():
    with pytest.raises(RuntimeError) as error:
        torch.empty(2**46)  # a quarter of a petabyte
    assert is_out_of_memory(error.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory.")) and is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    with pytest.raises(RuntimeError) as error:
        torch.zeros(2) @ torch.zeros(3)
    assert not is_out_of_memory(error.value)


def test_norms_are_joined_where_several_gpus_train_and_nowhere_else():
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert Machine(gpu, "bf16", Ranks(0, 2, gpu)).joins_norms
    assert not Machine(gpu, "bf16").joins_norms and not Machine(cpu, "fp32", Ranks(0, 2)).joins_norms


def test_joined_norms_have_the_weights_the_names_and_the_answers_of_plain_ones():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.BatchNorm2d(2), nn.ReLU()))
    network(torch.rand(2, 1, 8, 8))
    before, x = copy.deepcopy(network).eval(), torch.rand(2, 1, 8, 8)
    weights = dict(network.named_parameters())
    join_norms(network)
    assert isinstance(network[1][0], nn.SyncBatchNorm) and is_batch_norm(network[1][0])
    assert network.state_dict().keys() == before.state_dict().keys()
    assert all(parameter is weights[name] for name, parameter in network.named_parameters())
    torch.testing.assert_close(network.eval()(x), before(x))


def test_norms_that_a_network_keeps_at_rest_stay_so_when_they_are_joined():
    from ml.methods import get

    network = ScanNet(get("multiscale_patch").configured("tiny", {}))
    join_norms(network)
    norms = [module for module in network.train().modules() if is_batch_norm(module)]
    assert norms and not any(norm.training for norm in norms)


@needs_gpu
def test_a_network_on_a_gpu_has_its_channels_last():
    machine = machine_for(Compute())
    network = machine.place(nn.Conv2d(4, 4, 3))
    assert network.weight.is_cuda and network.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("asked", "got"), [(None, 0), (0, 0), (3, 3)])
def test_a_cpu_loads_in_line_unless_it_is_told_otherwise(asked, got):
    assert machine_for(Compute(device="cpu", workers=asked)).workers == got
