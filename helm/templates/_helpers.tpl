{{- define "atlas.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}-atlas
{{- end }}

{{- define "atlas.labels" -}}
app.kubernetes.io/name: activation-atlas
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* The labels a selector may use: they never change. Takes {root, component}. */}}
{{- define "atlas.selector" -}}
app.kubernetes.io/name: activation-atlas
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "atlas.redisEnvironment" -}}
{{- range $name, $key := dict "ATLAS_REDIS_URL" "brokerUrl" "ATLAS_CACHE_URL" "cacheUrl" }}
- name: {{ $name }}
  {{- if $.Values.redis.existingSecret }}
  valueFrom:
    secretKeyRef: {name: {{ $.Values.redis.existingSecret }}, key: {{ $key }}}
  {{- else if $.Values.redis.enabled }}
  value: redis://{{ include "atlas.name" $ }}-{{ trimSuffix "Url" $key }}:6379/0
  {{- else }}
  value: {{ index $.Values.redis $key | required (printf "redis.%s is needed while redis.enabled is false" $key) }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "atlas.environment" -}}
{{ include "atlas.redisEnvironment" . | trim }}
- name: ATLAS_STORE_URL
  value: {{ .Values.store.url }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "atlas.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "atlas.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end }}

{{- define "atlas.volumes" -}}
- name: data
  persistentVolumeClaim:
    claimName: {{ .Values.store.volume.existingClaim | default (printf "%s-data" (include "atlas.name" .)) }}
- name: tmp
  emptyDir: {}
{{- end }}

{{- define "atlas.volumeMounts" -}}
- {name: data, mountPath: /data}
- {name: tmp, mountPath: /tmp}
{{- end }}
