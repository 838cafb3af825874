"""The part of the sandbox that runs inside it, beside student code. It holds nothing worth reading.

The folder is mounted into the sandbox as the package ``inside``, so it imports only itself, NumPy and safetensors.
"""
