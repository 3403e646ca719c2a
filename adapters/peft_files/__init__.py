"""The formats of Hugging Face's PEFT, read and written without PEFT.

export.py   writes LoRA and AdaLoRA folders
config.py   adapter_config.json: what is read, and what is refused
loading.py  reads LoRA and AdaLoRA folders
"""

from adapters.peft_files.export import save_peft_adalora, save_peft_lora
from adapters.peft_files.loading import load_peft

__all__ = ["load_peft", "save_peft_adalora", "save_peft_lora"]
