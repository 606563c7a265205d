# seqgen with its server: docker build -t seqgen . && docker run -p 8000:8000 -v ./runs:/runs:ro -e SEQGEN_API_KEY=KEY seqgen RUN
FROM python:3.11-slim

# Which build of torch: cpu, or one with CUDA, such as cu128.
ARG TORCH=cpu
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/${TORCH} torch

COPY . /src
RUN pip install --no-cache-dir '/src[serve,constrain]' && rm -rf /src \
    && useradd --create-home --uid 1000 seqgen && mkdir /runs && ln -s /runs /home/seqgen/runs

USER seqgen
WORKDIR /home/seqgen
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]

# The key comes from SEQGEN_API_KEY; without one the server does not start.
ENTRYPOINT ["seqgen", "serve", "--host", "0.0.0.0"]
